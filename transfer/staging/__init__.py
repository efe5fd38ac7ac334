"""Staging as scientists see it: requests (domain), and the web pages that use them."""
