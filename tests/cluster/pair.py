"""Two PostgreSQL servers: one, and its synchronous standby."""

import subprocess

from tests.gateway.postgres_server import Server


class Pair(Server):
    """The first serves until it is killed; the second is promoted then."""

    def __init__(self, programs):
        super().__init__(programs)
        self._standby = self.home / "standby"
        self.url = (
            f"postgresql://postgres@/postgres?host={self.home},{self._standby}"
            "&target_session_attrs=read-write"
        )

    def start(self):
        """Both, the standby following."""
        super().start()
        programs = (self._programs / "initdb").resolve().parent  # all are there
        self._call("mkdir", self._standby)
        source = f"host={self.home} user=postgres application_name=standby"
        self._call(
            programs / "pg_basebackup",
            *("-d", source, "-D", self._standby / "data", "-R", "-c", "fast"),
        )
        self._control("start", "-o", f"-c listen_addresses='' -k {self._standby}")
        for change in (
            "ALTER SYSTEM SET synchronous_standby_names = 'standby'",
            "SELECT pg_reload_conf()",
        ):
            self._call(
                programs / "psql",
                *("-qX", "-h", self.home, "-U", "postgres", "-c", change),
            )

    def fail_over(self):
        """The first dies, the second takes its place."""
        self.stop()
        self._control("promote")

    def end(self):
        self._control("stop", "-m", "immediate")

    def _control(self, what, *more):
        place = ("-D", self._standby / "data", "-l", self._standby / "log")
        self._call(self._programs / "pg_ctl", what, "-w", *place, *more)

    def _call(self, *words):
        subprocess.run(
            words,
            check=True,
            cwd=self.home,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            **self._as,
        )
