"""The report room: tidy data frames in, Markdown tables and Matplotlib figures out. Never imports torch."""
