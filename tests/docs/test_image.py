"""The manifests of the page on a vendor's image: what they promise, and their commands run for real."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.staging import stage, start_prepared

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "image.md"


def manifests() -> tuple[Any, Any]:
    """The Kubernetes Job and the compose file."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    job, compose = (yaml.safe_load(block) for block in blocks)
    return job, compose


def test_the_job_is_a_hook_that_is_run_once_and_never_killed_for_time() -> None:
    """Before each upgrade, without another try, and without a limit that would end a deploy half-way."""
    job, _ = manifests()
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    annotations = job["metadata"]["annotations"]
    assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation"
    assert job["spec"]["backoffLimit"] == 0
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] >= 3600
    assert "activeDeadlineSeconds" not in {*job["spec"], *pod}
    (container,) = pod["containers"]
    (url,) = container["env"]
    assert (url["name"], [*url["valueFrom"]]) == ("DIRECT_URL", ["secretKeyRef"])


def test_the_application_waits_for_the_recovery_in_compose() -> None:
    """It starts only once the recovery has ended well, and the recovery is not started again for ever."""
    _, compose = manifests()
    recovery, web = compose["services"]["recovery"], compose["services"]["langfuse-web"]
    assert web["depends_on"]["recovery"]["condition"] == "service_completed_successfully"
    assert recovery["restart"] == "no"
    assert recovery["build"]["dockerfile"] in PAGE.read_text().partition("```dockerfile")[0]
    assert [*recovery["environment"]] == ["DIRECT_URL"]


def test_their_command_recovers_in_the_folder_of_an_image(tmp_path: Path) -> None:
    """Both run the same shell command. It ends at PIPELINE_READY where there is no git and no configuration of ours."""
    job, compose = manifests()
    (container,) = job["spec"]["template"]["spec"]["containers"]
    shell = [*container["command"], *container["args"]]
    hosts = ("db.example.com", "postgres")
    ours, theirs = (
        [word.replace(f"--expect-host {host}", "--expect-host 127.0.0.1") for word in words]
        for host, words in zip(hosts, (shell, compose["services"]["recovery"]["command"]), strict=True)
    )
    assert ours == theirs
    with start_prepared() as server:
        incident = stage("absent", tmp_path / "app", server, database="langfuse")
        shutil.rmtree(incident.project / ".git")
        (incident.project / "prisma-recovery.toml").unlink()
        variables = incident.environment()
        variables["DIRECT_URL"] = variables["DATABASE_URL"]
        variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables.get('PATH', os.environ['PATH'])}"
        done = subprocess.run(
            [*ours[:-1], ours[-1].replace("prisma-recovery run", "prisma-recovery run --verbose")],
            cwd=incident.project,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "PIPELINE_READY" in done.stdout
        assert "the source is an image; the migrations folder is sha256:" in done.stdout
        assert not (incident.project / ".prisma-recovery").exists()
