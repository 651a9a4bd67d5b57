"""What people look at: films, plots, tables, descriptions."""
