"""HomeSync on brokers of other makes."""
