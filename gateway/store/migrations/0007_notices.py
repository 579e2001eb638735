"""What was told of which event, by which channel."""

import peewee as pw


def up(migrator, db):
    class NoticeRow(db.Model):
        id = pw.AutoField()
        message_id = pw.CharField(max_length=40)
        event = pw.CharField(max_length=40)
        scope = pw.CharField(max_length=200)
        level = pw.IntegerField()
        channel = pw.CharField(max_length=16)
        title = pw.CharField(max_length=200)
        text = pw.TextField()
        data = pw.TextField(default="{}")
        created_at = pw.BigIntegerField()
        attempts = pw.IntegerField(default=0)
        next_at = pw.BigIntegerField(null=True)
        told_at = pw.BigIntegerField(null=True)
        answer = pw.CharField(max_length=200, default="")
        over_at = pw.BigIntegerField(default=0)

        class Meta:
            table_name = "notice"
            legacy_table_names = False
            indexes = ((("event", "scope", "level", "channel", "over_at"), True),)

    db.create_tables([NoticeRow])
