"""What was made of what: products and their runs, with what these read."""
