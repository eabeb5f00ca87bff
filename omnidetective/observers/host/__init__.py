"""Observers of installed packages and of servers, run in processes of their own: one a source and machine."""
