FIELDS: dict[str, object] = {}
TRUTHS = [["cough"], ["cough", "fever"], [], None, ["fever"], [], ["cough"], None, ["fever", "cough"], []]
