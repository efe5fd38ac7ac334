"""The reference data of the main site, and its copy at a gateway: all rows that filing needs, under the same keys."""
