"""What a program embeds: turns options into opened parts, and closes them. The only room that knows every other."""
