from app.settings.errors import SettingsRefused
from app.settings.load import LoadedSettings, load_settings
from app.settings.models import Settings

__all__ = ["LoadedSettings", "Settings", "SettingsRefused", "load_settings"]
