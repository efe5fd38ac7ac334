"""Pages of data products and of the runs that made them."""
