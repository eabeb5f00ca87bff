"""What a file of records says as a whole: read leniently, counted in one pass, shown as tables."""
