"""Moments as the value of a map-reduce on engines that know nothing of them, run for real, with a worker killed in the middle."""

import shutil
import sys

import pytest

pytest.importorskip("numpy")

from processes import HERE, run


@pytest.mark.slow
def test_ray_maps_and_merges(tmp_path):
    """The documented recipe on Ray: the population's statistics, also when a worker dies."""
    pytest.importorskip("ray")
    program = [sys.executable, str(HERE / "engine_ray.py"), str(tmp_path / "died")]
    assert "same" in run(program, RAY_AUTH_MODE="disabled", RAY_USAGE_STATS_ENABLED="0").stdout


@pytest.mark.slow
def test_spark_maps_and_merges(tmp_path):
    """The documented recipe on Spark: the population's statistics, also when a worker dies."""
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("Spark runs on Java: java is not installed")
    program = [sys.executable, str(HERE / "engine_spark.py"), str(tmp_path / "died")]
    assert "same" in run(program, PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1").stdout
