"""The portal's pages. Their names are what templates and other rooms link to."""

from django.urls import path, register_converter

from .keys import KeyConverter
from .views import (
    anomalies,
    artifacts,
    auditlog,
    changes,
    help,
    home,
    integrity,
    ledgerlog,
    reports,
    runs,
    snapshots,
    sources,
    workspaces,
)

register_converter(KeyConverter, "key")

urlpatterns = [
    path("", home.home, name="home"),
    path("sources/", sources.index, name="sources"),
    path("sources/<slug:slug>/", sources.source, name="source"),
    path("workspaces/", workspaces.index, name="workspaces"),
    path("workspaces/<int:pk>/", workspaces.overview, name="workspace"),
    path("workspaces/<int:pk>/sync/", workspaces.sync_now, name="sync-now"),
    path("workspaces/<int:pk>/snapshots/<int:seq>/", snapshots.snapshot, name="snapshot"),
    path("workspaces/<int:pk>/anomalies/", anomalies.index, name="anomalies"),
    path("workspaces/<int:pk>/changes/", changes.index, name="changes"),
    path("workspaces/<int:pk>/changes/export.<slug:fmt>", changes.export, name="changes-export"),
    path("workspaces/<int:pk>/changes/timeline/", changes.times, name="timeline"),
    path("workspaces/<int:pk>/records/<slug:stream>/<key:key>/", changes.record, name="record"),
    path("reports/", reports.index, name="reports"),
    path("workspaces/<int:pk>/reports/<slug:name>/", reports.report, name="report"),
    path("workspaces/<int:pk>/reports/<slug:name>/keep/", reports.capture, name="capture"),
    path("workspaces/<int:pk>/reports/<slug:name>/export.<slug:fmt>", reports.export, name="export"),
    path("artifacts/", artifacts.index, name="artifacts"),
    path("artifacts/<int:pk>/", artifacts.artifact, name="artifact"),
    path("artifacts/<int:pk>/export.<slug:fmt>", artifacts.export, name="artifact-export"),
    path("runs/", runs.index, name="runs"),
    path("runs/<int:pk>/", runs.run, name="run"),
    path("runs/<int:pk>/cancel/", runs.cancel, name="run-cancel"),
    path("audit/", auditlog.index, name="audit-log"),
    path("audit/export.csv", auditlog.export, name="audit-log-export"),
    path("integrity/", integrity.index, name="integrity"),
    path("integrity/verify/", integrity.verify, name="verify"),
    path("integrity/<int:pk>/", integrity.verification, name="verification"),
    path("integrity/ledger/", ledgerlog.index, name="ledger"),
    path("integrity/ledger/export.csv", ledgerlog.export, name="ledger-export"),
    path("help/", help.index, name="troubleshooting"),
    path("help/<slug:code>/", help.code, name="troubleshooting-code"),
]
