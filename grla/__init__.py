"""GRLA: which attention is worth it in lightweight image super-resolution, and is the difference real?"""
