"""An independent check of all bytes. It shares no code with the product: what both believe is true for two reasons."""
