"""What the main site offers to its gateways, and what a gateway offers to instruments."""
