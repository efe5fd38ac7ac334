"""The whole data center on one machine, from nothing: ``scripts/demo`` (docs/demo.md).

In the order in which a start uses them:

* :mod:`.options` and :mod:`.home`: what was asked for, and the folder where all of it lives;
* :mod:`.servers`: PostgreSQL and S3;
* :mod:`.furnishing`: tables, reference data, registered locations, accounts;
* :mod:`.center` and :mod:`.children`: portal, managers and workers, watched and ended;
* :mod:`.instrument`, :mod:`.folder` and :mod:`.filing`: an observation, written and filed;
* :mod:`.watching`, :mod:`.verification`, :mod:`.outcome` and :mod:`.display`: followed,
  checked, reported and shown;
* :mod:`.night` and :mod:`.session`: one night (``--once``), or until Ctrl-C.

Nothing else imports this package, and nothing here is needed in production.
"""
