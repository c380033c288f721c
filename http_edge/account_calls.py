"""The calls about accounts: a part of the table of calls."""

from http_edge import account_forms, answers, forms
from http_edge.call import Access, Call
from schemas import auth, user

_IDENTITY = "Accounts"

ACCOUNTS = (
    Call(
        method="POST",
        path="/v1/users",
        summary="Register",
        tag=_IDENTITY,
        access=Access.ANYONE,
        body=forms.Credentials(),
        command=auth.RegisterUser,
    ),
    Call(
        method="POST",
        path="/v1/sessions",
        summary="Sign in",
        tag=_IDENTITY,
        access=Access.ANYONE,
        body=forms.SignIn(),
        command=auth.OpenSession,
    ),
    Call(
        method="POST",
        path="/v1/sessions/refresh",
        summary="Exchange a refresh token; an old one ends the whole session",
        tag=_IDENTITY,
        access=Access.ANYONE,
        body=account_forms.Refresh(),
        command=auth.RefreshSession,
    ),
    Call(
        method="DELETE",
        path="/v1/sessions/current",
        summary="Sign out; the access token lives out its minutes",
        tag=_IDENTITY,
        access=Access.USER,
        body=forms.Nothing(),
        command=auth.CloseSession,
    ),
    Call(
        method="PUT",
        path="/v1/users/me/password",
        summary="Change my password; other sessions end",
        tag=_IDENTITY,
        access=Access.USER,
        body=account_forms.PasswordChange(),
        command=auth.ChangePassword,
    ),
    Call(
        method="DELETE",
        path="/v1/users/me",
        summary="Close my account for good; what is personal is forgotten everywhere",
        tag=_IDENTITY,
        access=Access.USER,
        body=account_forms.Farewell(),
        command=auth.DeleteUser,
    ),
    Call(
        method="GET",
        path="/v1/users/me",
        summary="What is known of me",
        tag=_IDENTITY,
        access=Access.USER,
        answer=answers.Me,
    ),
    Call(
        method="PATCH",
        path="/v1/users/me/profile",
        summary="Change my profile",
        tag=_IDENTITY,
        access=Access.USER,
        body=account_forms.ProfileEdit(),
        command=user.EditProfile,
    ),
    Call(
        method="PATCH",
        path="/v1/users/me/preferences",
        summary="Change what I am written to about",
        tag=_IDENTITY,
        access=Access.USER,
        body=account_forms.PreferencesEdit(),
        command=user.EditPreferences,
    ),
    Call(
        method="PUT",
        path="/v1/users/me/billing-address",
        summary="Replace my billing address",
        tag=_IDENTITY,
        access=Access.USER,
        body=account_forms.Address(),
        command=user.PutAddress,
    ),
    Call(
        method="GET",
        path="/.well-known/jwks.json",
        summary="The keys that access tokens are signed with",
        tag=_IDENTITY,
        access=Access.ANYONE,
        answer=answers.Jwks,
    ),
)
