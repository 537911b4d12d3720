import time, pytest
pytestmark = pytest.mark.django_db
import os
@pytest.fixture
def simulator():
    from connectors.segment.simulator import serve
    with serve(size=os.environ.get("SIZE","small")) as running:
        yield running

def test_dump(sync_now, simulator):
    from evidence import reports
    from evidence.flow import draw, draw_print
    from evidence.document import freeze, thaw, wording
    from django.db import connection, reset_queries
    from django.test.utils import CaptureQueriesContext
    import os
    if os.environ.get("HOSTILE"): simulator.settings.hostile = True
    if os.environ.get("DENY"):
        from connectors.segment.simulator import Fault
        simulator.faults.append(Fault(os.environ["DENY"], "status", times=None, status=403))
    run = sync_now()
    for name in ("data-flow", "sources", "destinations", "tracking-plans", "people"):
        with CaptureQueriesContext(connection) as q:
            t=time.time(); d = reports.document(run.snapshot, name); t1=time.time()-t
            t=time.time(); n=[sum(1 for _ in table.rows()) for table in d.report.tables]; t2=time.time()-t
        print("=====", name, f"build {t1:.3f} rows {t2:.3f}", n, "queries", len(q))
        print([(k, wording(v)) for k,v in d.report.facts]); print(d.gaps)
        for table in d.report.tables:
            print("--", table.title, "|", table.note)
            for i,row in enumerate(table.rows()):
                assert len(row)==len(table.columns)
                if i < 6: print("   ", " | ".join(wording(c)[:70] for c in row))
        if d.report.flow:
            f=d.report.flow; print(len(f.nodes), len(f.edges), [n for n in f.nodes if n.column==1]); open(f"/tmp/{os.environ.get('OUT','flow')}.svg","w").write(draw_print(f)); draw(f)
        if not os.environ.get("SIZE"):
            assert freeze(thaw(freeze(d)))==freeze(d)
