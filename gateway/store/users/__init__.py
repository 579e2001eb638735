"""Who may open the dashboard: the tables."""
