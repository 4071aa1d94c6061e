FIELDS = {"class_weights": "balanced"}
TRUTHS = ["well", "ill", None, "ill", "dead", "well", "ill", None, "dead", "well"]
