"""The medical task's DataModule."""

from __future__ import annotations

from crossfade.data.module import DataModule


class MedicalDataModule(DataModule):
    """Patients: CT, MRI, ultrasound, X-ray, notes, vitals and laboratory values; groups are patients."""
