"""Reports: one HTML page that says what an experiment found, opens from a disk and asks nobody anything."""

from .live import LiveReport
from .page import check_page_path, make_report, report_writer, write_report

__all__ = ["LiveReport", "check_page_path", "make_report", "report_writer", "write_report"]
