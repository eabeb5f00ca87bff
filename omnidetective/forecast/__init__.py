"""What a clip will cost before anybody is asked: calls, tokens, money and waiting, by stage and role.

A stranger who changes how often a stage asks changes the function of the same name in ``forecast/stages.py`` (the
detective's in ``forecast/investigation.py``); ``tests/forecast/test_truth.py`` holds both against a server that counts.
"""
