"""How the jobs of a sweep are run: one after another here, in processes of their own, or by a launcher of Hydra's."""
