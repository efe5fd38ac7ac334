"""Totals of hours and days."""
