"""What tokens cost: the table of prices and what a turn is charged."""
