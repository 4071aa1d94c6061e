FIELDS = {"slots": ["device", "room"]}
TRUTHS = [
    {"intent": "switch_on", "device": "lamp", "room": "kitchen"},
    {"intent": "switch_off", "device": "heating", "room": None},
    None,
    {"intent": "switch_on", "device": "lamp", "room": "bedroom"},
    {"intent": "good_night"},
    None,
    {"intent": "switch_off", "device": "lamp", "room": "none"},
    {"intent": "switch_on", "device": "heating", "room": "kitchen"},
]
