"""Webhooks on the operators' pages: whether events arrive, never what they say nor by which key they are signed."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.site import site
from connectors.models import Webhook, WebhookAttempt, WebhookDelivery, WebhookEvent


@admin.register(Webhook, site=site)
class WebhookAdmin(ReadOnlyAdmin):
    # An address may hold a key in its query; the host is enough to see who does not answer.
    exclude = ["callback_url", "callback_context", "sealed_token", "sealed_secret", "sealed_old_secret"]
    list_display = ["host", "connector", "object_type", "object_id", "failures", "delivered_at", "inactive_because"]
    list_filter = ["object_type", "inactive_because"]
    list_select_related = ["connector"]
    search_fields = ["id__exact", "host", "connector__name", "object_id"]


@admin.register(WebhookEvent, site=site)
class WebhookEventAdmin(ReadOnlyAdmin):
    exclude = ["data", "sender", "only_for", "private", "private_for"]
    list_display = ["event_type", "group_id", "action_id", "package_id", "created_at"]
    list_filter = ["event_type"]
    search_fields = ["id__exact", "group_id__exact", "action_id__exact", "package_id"]


@admin.register(WebhookDelivery, site=site)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ["event", "webhook", "state", "tries", "next_attempt_at", "created_at", "finished_at"]
    list_filter = ["state"]
    list_select_related = ["event", "webhook"]
    search_fields = ["id__exact", "webhook__id__exact", "webhook__host", "webhook__connector__name"]


@admin.register(WebhookAttempt, site=site)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    exclude = ["answer_headers", "answer_text"]
    list_display = ["delivery", "began_at", "milliseconds", "status", "problem"]
    list_filter = ["problem"]
    list_select_related = ["delivery"]
    search_fields = ["id__exact", "delivery__webhook__id__exact", "delivery__webhook__host"]
