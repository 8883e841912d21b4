from rest_framework.authentication import BaseAuthentication


class Scheme(BaseAuthentication):
    """Signs nobody in; the framework says 401 and not 403 where a scheme has a name."""

    def authenticate(self, request):
        return None

    def authenticate_header(self, request):
        return "Api-Key"
