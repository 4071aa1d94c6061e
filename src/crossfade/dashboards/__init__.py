"""W&B dashboards as code: a workspace and a report of a sweep, or of a project (extra `dashboards`)."""
