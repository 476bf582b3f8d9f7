from app.settings.errors import ExtraMissing, SettingsRefused
from app.settings.load import LoadedSettings, load_settings
from app.settings.models import Settings

__all__ = ["ExtraMissing", "LoadedSettings", "Settings", "SettingsRefused", "load_settings"]
