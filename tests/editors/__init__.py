"""The plug-ins in real editors."""
