"""Learning curves of real trainings, from tables that make_table.py made."""
