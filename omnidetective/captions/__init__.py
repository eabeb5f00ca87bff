"""Pure functions about the text of captions."""
