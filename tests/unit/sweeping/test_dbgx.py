import sys; sys.path.insert(0,"/work/main/tests/unit/sweeping")
import importlib.util
spec=importlib.util.spec_from_file_location("ts","/work/main/tests/unit/sweeping/test_search.py"); ts=importlib.util.module_from_spec(spec); spec.loader.exec_module(ts)
from conftest import *
def test_x(make_job, desk):
    job = make_job(ts.MIXED, search={"method": "tpe", "startup": 4})
    _, u = ts.explore(desk(16, proposed=False), job, 16)
    _, r = ts.explore(desk(16, proposed=False), job, 16, restart_at=9)
    for i,(a,b) in enumerate(zip(u,r)): print(i,a==b,a,b)
    assert 0
