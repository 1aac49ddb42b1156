"""Facts: what one file's text says, as frozen records. The room where source code is read (LibCST lives here and in fixes)."""
