"""Figures, one file each: the data (a frame), then the drawing."""
