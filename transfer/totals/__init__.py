"""Totals of work and usages of locations, for each hour and day: counted from the rows of the flow."""
