"""Everything that people look at: films, plots, tables, descriptions."""
