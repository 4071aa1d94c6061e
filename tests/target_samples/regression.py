FIELDS = {"unit": "mm", "column": ["width", "height"]}
TRUTHS = [[3.0, 1.0], [2.0, 5.0], None, [7.0, 2.0], [1.5, 0.5], [4.0, 4.0], None, [9.0, 1.0]]
