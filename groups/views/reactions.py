"""Likes and comments: read and given, on the page of a card, and on a page of its own for a message."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages as notes
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Person, User
from accounts.queries import name_people
from accounts.views.decorators import user_of, with_phone
from connectors.views import forms
from connectors.views.forms import show_refusals
from groups import access
from groups.models import Action, Group, Message, Reaction
from groups.queries import reactions as reaction_queries
from groups.queries.actions import Viewer
from groups.queries.reactions import ReactionCounts
from groups.services import reactions as services
from groups.views import links
from groups.views.forms import CommentForm

ON_A_CARD = 10
Type = Reaction.Type


@require_http_methods(["GET", "POST"])
@with_phone(button_label=gettext_lazy("Comment"))
def reactions(request: HttpRequest, group_id: UUID, reference_id: UUID) -> HttpResponse:
    """All comments on a message or a card, and who likes it; by POST, one more comment."""
    user = user_of(request)
    group, viewer, of = _found(user, group_id, reference_id)
    form = CommentForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with show_refusals(form):
            services.react(
                group=group,
                reference_id=of.pk,
                kind=Type.COMMENT,
                comment=form.cleaned_data["comment"],
                by=user,
                person=_reacting(user, group, of, viewer),
                reaction_id=forms.get_idempotent_id(user, f"comment on {of.pk}", request.POST),
            )
            notes.success(request, _("Comment posted."))
            return redirect(_get_back_url(group, of))
    return _page(request, group, viewer, of, form)


@require_POST
@with_phone(button_label=gettext_lazy("Like"))
def like(request: HttpRequest, group_id: UUID, reference_id: UUID) -> HttpResponse:
    """Likes it. Twice is once."""
    user = user_of(request)
    group, viewer, of = _found(user, group_id, reference_id)
    person = _reacting(user, group, of, viewer)
    services.react(group=group, reference_id=of.pk, kind=Type.LIKE, comment="", by=user, person=person)
    notes.success(request, _("You like this."))
    return redirect(_get_back_url(group, of))


def get_panel(
    of: Message | Action,
    counts: ReactionCounts,
    viewer: Viewer,
    *,
    cursor: str | None = None,
    size: int = ON_A_CARD,
    form: CommentForm | None = None,
    sent: QueryDict | None = None,
) -> dict[str, Any]:
    """What `groups/_reacting.html` shows: likes, a page of comments, a form. Three statements. Raises BadCursor."""
    page = reaction_queries.comment_page(of.pk, cursor=cursor, size=size)
    likes = reaction_queries.get_likes(of.pk, viewer.people)
    name_people(viewer.organisation_id, [row.person for row in (*page.items, *likes.named)])
    ids = [of.group_id, of.pk]
    return {
        "counts": counts,
        "liked_by": _describe_likers(likes.named, counts.like),
        "is_liked": likes.is_own,
        "comments": page.items,
        "page": page,
        "more": page.next_cursor is not None,
        "url": reverse("groups:reactions", args=ids),
        "like_url": reverse("groups:like", args=ids),
        "form": form or CommentForm(),
        "idempotency_key": forms.get_idempotency_key(sent if sent is not None else QueryDict()),
    }


def _found(user: User, group_id: UUID, reference_id: UUID) -> tuple[Group, Viewer, Message | Action]:
    group = access.require_member(user, group_id)
    viewer = Viewer.of(group, access.list_held_people(user))
    return group, viewer, reaction_queries.get_message_or_action(group, reference_id, viewer)


def _reacting(user: User, group: Group, of: Message | Action, viewer: Viewer) -> Person | None:
    """With which of their numbers somebody reacts: one that it was sent to, before all others."""
    asked = of.recipients.filter(pk__in=viewer.people).first() if of.audience != Message.Audience.MEMBERS else None
    return asked or access.get_acting_person(user, group)


def _get_back_url(group: Group, of: Message | Action) -> str:
    name = "groups:action" if isinstance(of, Action) else "groups:reactions"
    return f"{reverse(name, args=[group.pk, of.pk])}#reactions"


def _page(request: HttpRequest, group: Group, viewer: Viewer, of: Message | Action, form: CommentForm) -> HttpResponse:
    here = reverse("groups:reactions", args=[group.pk, of.pk])
    counts = reaction_queries.get_counts([of.pk]).get(of.pk, ReactionCounts())
    panel = get_panel(
        of,
        counts,
        viewer,
        cursor=request.GET.get("cursor"),
        size=reaction_queries.PAGE_SIZE,
        form=form,
        sent=request.POST,
    )
    timeline = reverse("groups:messages", args=[group.pk])
    is_card = isinstance(of, Action)
    title = (of.title or of.get_kind_display().capitalize()) if isinstance(of, Action) else ""
    context = {
        "group": group,
        "row": {"from": of},
        "message": None if is_card else of,
        "title": title,
        "lead": f"{group.name} · {links.frame(group, 'messages')['lead']}",
        "card_url": reverse("groups:action", args=[group.pk, of.pk]) if is_card else "",
        "reacting": {**panel, "more": False},
        "crumbs": links.group_crumbs(group, (_("Messages & Actions"), timeline), (_("Likes and comments"), "")),
        **links.pagination_links(request, panel["page"], path=here),
    }
    return render(request, "groups/reactions.html", context, status=400 if form.is_bound else 200)


def _describe_likers(named: list[Reaction], likes: int) -> str:
    """ "Meera, Asha and 3 others"; "" when nobody likes it."""
    names = [str(like.bot.name if like.bot else like.person) for like in named]
    others = likes - len(names)
    if others > 0:
        more = ngettext("%(n)s other", "%(n)s others", others) % {"n": intcomma(others)}
        return _("%(names)s and %(more)s") % {"names": ", ".join(names), "more": more}
    if len(names) > 1:
        return _("%(names)s and %(more)s") % {"names": ", ".join(names[:-1]), "more": names[-1]}
    return names[0] if names else ""
