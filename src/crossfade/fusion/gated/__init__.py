"""Gates: gmu, film, mmtm, highway."""
