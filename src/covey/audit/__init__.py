"""The effect audit: that every setting is read, every module learns, every target follows."""
