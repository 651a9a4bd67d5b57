"""The names of skirmish's battles, for the catalogue."""

SMAC_MAPS = {
    "3m": "3 marines against 3",
    "8m": "8 marines against 8",
    "25m": "25 marines against 25",
    "5m_vs_6m": "5 marines against 6",
    "8m_vs_9m": "8 marines against 9",
    "10m_vs_11m": "10 marines against 11",
    "27m_vs_30m": "27 marines against 30",
    "MMM": "marines, marauders and a medivac against the same",
    "MMM2": "marines, marauders and a medivac against more of them",
    "2s3z": "2 stalkers and 3 zealots against the same",
    "3s5z": "3 stalkers and 5 zealots against the same",
    "3s5z_vs_3s6z": "3 stalkers and 5 zealots against 3 and 6",
    "1c3s5z": "a colossus, 3 stalkers and 5 zealots against the same",
    "3s_vs_3z": "3 stalkers against 3 zealots",
    "3s_vs_4z": "3 stalkers against 4 zealots",
    "3s_vs_5z": "3 stalkers against 5 zealots",
    "6h_vs_8z": "6 hydralisks against 8 zealots, in a small room",
    "2m_vs_1z": "2 marines against a zealot",
    "2s_vs_1sc": "2 stalkers against a spine crawler",
    "2c_vs_64zg": "2 colossi on a cliff against 64 zerglings",
    "corridor": "6 zealots against 24 zerglings that come through a choke",
    "so_many_baneling": "7 zealots against 32 banelings",
    "bane_vs_bane": "20 zerglings and 4 banelings against the same",
}

SMACV2 = {
    "terran": "marines, marauders and medivacs",
    "protoss": "stalkers, zealots and colossi",
    "zerg": "zerglings, hydralisks and banelings",
}
SMACV2_RULES = {
    "enemy": "nearest",
    "obs_own_pos": True,
    "use_unit_ranges": True,
    "reward_regeneration": False,
}

SMACV2_SIZES = ((5, 5), (10, 10), (10, 11), (20, 20), (20, 23))
