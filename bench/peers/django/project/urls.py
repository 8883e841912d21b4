from django.urls import path

from project.views import Check

urlpatterns = [path("check", Check.as_view())]
