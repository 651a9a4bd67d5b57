"""Skirmish: the battles of SMAC and SMACv2, compiled."""
