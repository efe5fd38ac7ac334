from django.apps import AppConfig


class CcatdcConfig(AppConfig):
    """The top floor: settings, portal, the demo and the commands that span apps."""

    name = "ccatdc"
