"""Networks, actor steps and reward scales shared by off-policy algorithms."""
