"""The roles of the database: who may do what to which table (rights.yaml), and what gives it to them."""
